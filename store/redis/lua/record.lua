-- Reading and writing whole records.
local function value(r)
  return struct.pack(HEAD, 1, r.version, r.epoch, r.subjectEpoch,
    r.created, r.active, r.idle, r.expires, r.ended,
    #r.subject, r.subject, #r.origin, r.origin, #r.via, r.via,
    #r.reason, r.reason, #r.by, r.by) .. r.body
end

-- Returns nil for a record that is not there (the engine's own expiry) or whose
-- head cannot be read; exists tells one from the other.
local function open(sid)
  local v = call('GET', part .. 'r:' .. sid)
  if not v then return nil, false end
  local r, ok, format, rest = {sid = sid}, nil, nil, nil
  ok, format, r.version, r.epoch, r.subjectEpoch, r.created, r.active, r.idle, r.expires, r.ended,
    r.subject, r.origin, r.via, r.reason, r.by, rest = pcall(struct.unpack, HEAD, v)
  if not ok or format ~= 1 then return nil, true end
  r.body = string.sub(v, rest)
  return r, true
end

-- Lets an index live as long as the last record in it.
local function keep(key, ttl)
  if call('PEXPIRE', key, ttl, 'NX') == 0 then call('PEXPIRE', key, ttl, 'GT') end
end
