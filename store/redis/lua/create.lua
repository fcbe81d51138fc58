local sid, subject, origin = ARGV[3], ARGV[4], ARGV[5]
local ttl, max, action, now, till = tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
if call('EXISTS', part .. 'r:' .. sid) == 1 then return {EXISTS} end

local over = {}
if max > 0 and subject ~= '' then
  local live = {}
  for _, other in ipairs(call('ZRANGE', part .. 'u:' .. subject, 0, -1)) do
    local r = open(other)
    if r and r.reason == '' and r.epoch >= epoch and now < math.min(r.idle, r.expires) then live[#live + 1] = r end
  end
  local excess = #live + 1 - max
  if excess > 0 then
    if action == LIMIT_REFUSE then return {LIMIT} end
    table.sort(live, function(a, b)
      if action == LIMIT_LEAST_RECENT and a.active ~= b.active then return a.active < b.active end
      if a.created ~= b.created then return a.created < b.created end
      return a.sid < b.sid
    end)
    for i = 1, excess do over[i] = live[i] end
  end
end

local r = {
  version = 1, epoch = epoch, subjectEpoch = subjectEpoch(subject),
  created = tonumber(ARGV[6]), active = tonumber(ARGV[7]), idle = tonumber(ARGV[8]), expires = tonumber(ARGV[9]),
  ended = 0, subject = subject, origin = origin, via = '', reason = '', by = '', body = ARGV[15],
}
call('SET', part .. 'r:' .. sid, value(r), 'PX', text(ttl))
call('ZADD', part .. 'a', 0, sid)
call('ZADD', part .. 'd', math.min(r.idle, r.expires), sid)
if subject ~= '' then
  call('ZADD', part .. 'u:' .. subject, 0, sid)
  keep(part .. 'u:' .. subject, ttl)
end
if origin ~= '' then
  call('SADD', part .. 'o:' .. origin, sid)
  keep(part .. 'o:' .. origin, ttl)
end
local reply = {OK, r.subjectEpoch, epoch, 0}
for _, old in ipairs(over) do
  reply[#reply + 1] = finish(old, SESSION_LIMIT, SYSTEM, now)
  append(entry(SESSION, old.sid, '', 0, old.reason, now, till), till)
end
reply[4] = seq
wake()
return reply
