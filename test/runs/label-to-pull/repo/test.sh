#!/bin/sh
said=$(sh greet.sh Ada)
[ "$said" = "Hello, Ada" ] || { echo "said: $said"; exit 1; }
echo ok
