local head = tonumber(call('HGET', meta, 'seq'))
if tonumber(ARGV[3]) > head then return {BAD_CURSOR} end
local reply = call('ZRANGE', part .. 'f', '(' .. ARGV[3], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[4])
table.insert(reply, 1, head)
table.insert(reply, 1, OK)
return reply
