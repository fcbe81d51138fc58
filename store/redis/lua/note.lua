local name, old, new = ARGV[3], ARGV[4], ARGV[5]
local have = call('HGET', part .. 'n', name) or ''
if have ~= old or old == new then return {OK, have} end
call('HSET', part .. 'n', name, new)
return {OK, new}
