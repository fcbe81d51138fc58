local node, value = ARGV[3], ARGV[4]
if call('HGET', part .. 'l', node) ~= value then return {OK} end
call('HDEL', part .. 'l', node)
call('SREM', part .. 'i', node)
return {OK}
