-- Stores a new record. This much is enough for most: what follows in limit.lua,
-- with all that it needs, is for a subject that may have too many.
local sid, subject, origin, ttl, max = ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[9])
local others = 0
if subject ~= '' then others = call('ZCARD', part .. 'u:' .. subject) end

-- An index lives as long as the last record in it, so every one has an end, and
-- GT finds one.
local function store()
  local raised = subjectEpoch(subject)
  local v = struct.pack(STAMP, 1, 1, epoch, raised) .. ARGV[8]
  if not call('SET', part .. 'r:' .. sid, v, 'NX', 'PX', ttl) then return {EXISTS} end
  call('ZADD', part .. 'a', '0', sid)
  call('ZADD', part .. 'd', ARGV[7], sid)
  if subject ~= '' then
    local index = part .. 'u:' .. subject
    call('ZADD', index, '0', sid)
    if others == 0 then call('PEXPIRE', index, ttl) else call('PEXPIRE', index, ttl, 'GT') end
  end
  if origin ~= '' then
    local index = part .. 'o:' .. origin
    call('SADD', index, sid)
    if call('PEXPIRE', index, ttl, 'NX') == 0 then call('PEXPIRE', index, ttl, 'GT') end
  end
  return {OK, raised, epoch, 0}
end

if max == 0 or others < max then return store() end
