#!/bin/sh
# Stands where telnetd would run login: greets, and answers each line with its letters turned (rot13), so that an answer is no echo.
printf 'this is the server; say something> '
while read -r line; do
    [ "$line" = bye ] && exit 0
    printf 'you said %s> ' "$(printf %s "$line" | tr 'a-z' 'n-za-m')"
done
