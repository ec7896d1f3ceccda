echo $& $1 $$ \n
