-- Takes over records and entries of another store. ARGV[3] is the global epoch
-- that later records must have at least, ARGV[4] the floor of subject epochs,
-- ARGV[5] the number of records, of 15 values each; then subject epochs and
-- entries, told apart by their first value.
local least, from, n = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if least > epoch then call('SET', part .. 'g', text(least)) end
call('HDEL', meta, 'swept', 'sweep', 'from') -- older records appear behind the walk
if from > floor then
  floor = from
  call('HSET', meta, 'floor', text(floor))
end
local stored, at = 0, 6
for _ = 1, n do
  local f = {unpack(ARGV, at, at + 14)}
  at = at + 15
  local sid = f[1]
  if call('EXISTS', part .. 'r:' .. sid) == 0 then
    local r = {
      version = tonumber(f[2]), epoch = tonumber(f[3]), subjectEpoch = tonumber(f[4]),
      created = tonumber(f[5]), active = tonumber(f[6]), idle = tonumber(f[7]), expires = tonumber(f[8]),
      ended = tonumber(f[9]), subject = f[10], origin = f[11], via = '', reason = f[12], by = f[13], body = f[15],
    }
    local ttl = tonumber(f[14])
    call('SET', part .. 'r:' .. sid, value(r), 'PX', text(ttl))
    call('ZADD', part .. 'a', 0, sid)
    local index = 'u:'
    if r.reason == '' then
      call('ZADD', part .. 'd', math.min(r.idle, r.expires), sid)
    else
      index = 'h:'
      call('ZADD', part .. 'e', r.ended, sid)
    end
    if r.subject ~= '' then
      call('ZADD', part .. index .. r.subject, 0, sid)
      keep(part .. index .. r.subject, ttl)
    end
    if r.origin ~= '' then
      call('SADD', part .. 'o:' .. r.origin, sid)
      keep(part .. 'o:' .. r.origin, ttl)
    end
    stored = stored + 1
  end
end
while at <= #ARGV do
  if ARGV[at] == 'subject' then
    local subject, raised, till = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    if raised > subjectEpoch(subject) then call('HSET', part .. 's', subject, text(raised)) end
    call('ZADD', part .. 't', 'GT', till, subject)
    at = at + 4
  else
    append(ARGV[at + 2], tonumber(ARGV[at + 1]))
    at = at + 3
  end
end
wake()
return {OK, stored, seq}
