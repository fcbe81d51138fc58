-- The subject of a new record may have too many.
local action, now, till = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12])
local live = {}
for _, other in ipairs(call('ZRANGE', part .. 'u:' .. subject, 0, -1)) do
  local r = open(other)
  if r and r.reason == '' and r.epoch >= epoch and now < math.min(r.idle, r.expires) then live[#live + 1] = r end
end
local excess = #live + 1 - max
if excess > 0 and action == LIMIT_REFUSE then
  return {call('EXISTS', part .. 'r:' .. sid) == 1 and EXISTS or LIMIT}
end
local reply = store()
if reply[1] ~= OK or excess <= 0 then return reply end
table.sort(live, function(a, b)
  if action == LIMIT_LEAST_RECENT and a.active ~= b.active then return a.active < b.active end
  if a.created ~= b.created then return a.created < b.created end
  return a.sid < b.sid
end)
for i = 1, excess do
  local old = live[i]
  reply[#reply + 1] = finish(old, SESSION_LIMIT, SYSTEM, now)
  append(entry(SESSION, old.sid, '', 0, old.reason, now, till), ARGV[12])
end
reply[4] = seq
wake()
return reply
