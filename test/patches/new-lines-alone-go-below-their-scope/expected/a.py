class A:
    def run(self):
        return 1

class B:
    x = 1
    def run(self):
        return 1
