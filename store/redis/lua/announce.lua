evenWhenFull()
append(ARGV[4], ARGV[3])
wake()
return {OK, seq}
