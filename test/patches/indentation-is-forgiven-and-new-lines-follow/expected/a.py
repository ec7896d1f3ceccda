if x:
        a()
        if y:
            c()
