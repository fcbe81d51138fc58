-- Keeps a node's promise. The names are in a set beside the values, so that all
-- can be read with the commands that docs/redis.md lists. A lease is replaced by
-- one of its size, so this goes on while the memory is full.
local node, value = ARGV[3], ARGV[4]
evenWhenFull()
call('HSET', part .. 'l', node, value)
call('SADD', part .. 'i', node)
return {OK}
