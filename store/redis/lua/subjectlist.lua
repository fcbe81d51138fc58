-- The next records of a subject, newest first: sid and value of each. Those
-- that have ended are kept apart, so that a limit costs no more when its
-- subject has a long history; both are read here in one step, or one that ends
-- between two reads would be met twice or not at all.
local from, n = ARGV[4] == '' and '+' or '(' .. ARGV[4], tonumber(ARGV[5])
local sids = call('ZRANGE', part .. 'u:' .. ARGV[3], from, '-', 'BYLEX', 'REV', 'LIMIT', 0, n)
for _, sid in ipairs(call('ZRANGE', part .. 'h:' .. ARGV[3], from, '-', 'BYLEX', 'REV', 'LIMIT', 0, n)) do
  sids[#sids + 1] = sid
end
table.sort(sids, function(a, b) return a > b end)
local reply = {OK, epoch}
for i = 1, math.min(n, #sids) do
  reply[#reply + 1] = sids[i]
  reply[#reply + 1] = call('GET', part .. 'r:' .. sids[i])
end
return reply
