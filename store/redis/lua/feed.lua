if tonumber(ARGV[3]) > last then return {BAD_CURSOR} end
local reply = call('ZRANGE', part .. 'f', '(' .. ARGV[3], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[4])
table.insert(reply, 1, last)
table.insert(reply, 1, OK)
return reply
