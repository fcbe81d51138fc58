-- Runs before every step. KEYS[1] is the partition's meta key, from which the
-- names of its other keys follow: they share its hash tag and so its slot.
-- ARGV: identity of the store, channel of the hints, then what the step needs.
local call, meta = redis.call, KEYS[1]
local part = string.sub(meta, 1, -2)

-- While a Cluster moves the slot, half of the keys are elsewhere, and a step
-- would fail between its writes. These two keys never exist: on either side of
-- a move, and only then, asking for them is an error. So the step has not begun.
local moving = redis.pcall('EXISTS', part .. 'x', part .. 'y')
if type(moving) == 'table' then
  if string.find(moving.err, 'non local', 1, true) then
    return redis.error_reply('TRYAGAIN the slot of ' .. part .. ' is being moved')
  end
  return moving
end

local epoch = tonumber(call('GET', part .. 'g') or nil)
if not epoch or call('HGET', meta, 'id') ~= ARGV[1] then
  return redis.error_reply('LOST ' .. meta .. ' is not what this process started with')
end

-- The head of a stored record: format, version, global and subject epoch,
-- created, active, idle, expires, ended; then subject key, origin, the origin
-- that took over when that one was removed, reason and by. The body follows; it
-- is the business of the callers alone.
local HEAD = '>BI7I7I7I7I7I7I7I7Bc0Bc0Bc0Bc0Hc0'

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

-- Lua writes numbers with 14 digits unless told otherwise.
local function text(n) return string.format('%.0f', n) end

-- Lets an index live as long as the last record in it.
local function keep(key, ttl)
  if call('PTTL', key) < ttl then call('PEXPIRE', key, text(ttl)) end
end

-- A server whose memory is full refuses the first write of a script if it may
-- take memory, and none after it. Ends and removals must go on then: this write
-- takes nothing.
local function evenWhenFull() call('ZREM', part .. 'd', '') end

local function finish(r, reason, by, at)
  if r.epoch < epoch then reason = REVOKED_ALL end -- it ended then; nobody had written it down
  r.version, r.ended, r.reason, r.by = r.version + 1, at, reason, by
  local v = value(r)
  call('ZREM', part .. 'd', r.sid)
  call('SET', part .. 'r:' .. r.sid, v, 'KEEPTTL')
  call('ZADD', part .. 'e', at, r.sid)
  if r.subject ~= '' then
    call('ZADD', part .. 'h:' .. r.subject, 0, r.sid)
    call('ZREM', part .. 'u:' .. r.subject, r.sid)
    keep(part .. 'h:' .. r.subject, call('PTTL', part .. 'r:' .. r.sid))
  end
  return v
end

local seq = 0 -- of the last entry appended

-- Numbers are also above 1024 times the entry's own time, of the next century at
-- most. So when a failover or a restart lost the newest entries, those that come
-- next do not get their numbers again, and no cursor that was handed out behind
-- the lost ones passes them.
local function append(entry, till)
  local at = struct.unpack('>I7', entry, 13)
  seq = tonumber(call('HGET', meta, 'seq')) + 1
  if at < 2^42 then seq = math.max(seq, at * 1024) end
  call('HSET', meta, 'seq', text(seq))
  call('ZADD', part .. 'f', seq, struct.pack('>I7', seq) .. entry)
  call('ZADD', part .. 'w', till, text(seq))
end

local function entry(kind, sid, subject, raised, reason, at, till)
  return struct.pack('>BI4I7I7I7Bc0Hc0Hc0Bc0', kind, 0, raised, at, till,
    #sid, sid, #subject, subject, 0, '', #reason, reason)
end

-- Only a hint, so nothing depends on it.
local function wake()
  if seq > 0 and ARGV[2] ~= '' then redis.pcall('PUBLISH', ARGV[2], '') end
end

-- A subject's epoch, which outlives its entry as the partition's floor.
local function subjectEpoch(subject)
  if subject == '' then return 0 end
  return math.max(tonumber(call('HGET', part .. 's', subject) or 0), tonumber(call('HGET', meta, 'floor') or 0))
end
