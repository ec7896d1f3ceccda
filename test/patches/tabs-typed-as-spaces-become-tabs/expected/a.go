func f() {
	if a {
		c()
		d()
	}
}
