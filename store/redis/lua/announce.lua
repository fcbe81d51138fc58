evenWhenFull()
append(ARGV[4], tonumber(ARGV[3]))
wake()
return {OK, seq}
