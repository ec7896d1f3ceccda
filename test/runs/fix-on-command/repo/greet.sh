#!/bin/sh
# Greets the person named.
echo "Helo, $1"
