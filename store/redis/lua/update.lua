local sid, version = ARGV[3], tonumber(ARGV[4])
local r, exists = open(sid)
if not r then return {exists and DAMAGED or NOT_FOUND} end
if r.reason ~= '' or r.epoch < epoch then return {ENDED} end -- before the version: an end raises it too
if r.version ~= version then return {CONFLICT} end
if r.subject ~= ARGV[5] or r.origin ~= ARGV[6] or r.epoch ~= tonumber(ARGV[7]) or r.subjectEpoch ~= tonumber(ARGV[8]) then
  return {CHANGED}
end
local ttl = tonumber(ARGV[13])
r.version, r.created = version + 1, tonumber(ARGV[9])
r.active, r.idle, r.expires, r.body = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[14]
call('SET', part .. 'r:' .. sid, value(r), 'PX', text(ttl))
call('ZADD', part .. 'd', math.min(r.idle, r.expires), sid)
if r.subject ~= '' then keep(part .. 'u:' .. r.subject, ttl) end
local origin = r.via ~= '' and r.via or r.origin
if origin ~= '' then keep(part .. 'o:' .. origin, ttl) end
for i = 15, #ARGV, 2 do append(ARGV[i + 1], tonumber(ARGV[i])) end
wake()
return {OK, seq}
