local sid, version = ARGV[3], tonumber(ARGV[4])
local v = call('GET', part .. 'r:' .. sid)
if not v then return {NOT_FOUND} end
local ok, format, have, global, raised, _, _, _, _, _, subject, from, via, reason, _, body = pcall(struct.unpack, HEAD, v)
if not ok or format ~= 1 then return {DAMAGED} end
if reason ~= '' or global < epoch then return {ENDED} end -- before the version: an end raises it too
if have ~= version then return {CONFLICT} end
if subject ~= ARGV[5] or from ~= ARGV[6] or global ~= tonumber(ARGV[7]) or raised ~= tonumber(ARGV[8]) then
  return {CHANGED}
end
local ttl = ARGV[9]
local stamp, texts = struct.pack(STAMP, 1, version + 1, global, raised), string.sub(v, TEXTS, body - 1)
call('SET', part .. 'r:' .. sid, stamp .. ARGV[11] .. texts .. ARGV[12], 'PX', ttl)
call('ZADD', part .. 'd', ARGV[10], sid)
-- Its indexes are there, and each has an end.
if subject ~= '' then call('PEXPIRE', part .. 'u:' .. subject, ttl, 'GT') end
local origin = via ~= '' and via or from
if origin ~= '' then call('PEXPIRE', part .. 'o:' .. origin, ttl, 'GT') end
for i = 13, #ARGV, 2 do append(ARGV[i + 1], ARGV[i]) end
wake()
return {OK, seq}
