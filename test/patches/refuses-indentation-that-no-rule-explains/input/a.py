if a:
  b()
      c()
