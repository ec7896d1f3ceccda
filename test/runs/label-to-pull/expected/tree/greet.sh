#!/bin/sh
# Greets the person named.
echo "Hello, $1"
