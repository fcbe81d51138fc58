-- Stores new records: for each partition their number, then for each what args
-- in create.go says. One that cannot be stored is answered so and hinders no
-- other one.
--
-- This much is enough for most: what follows in limit.lua, with all that it
-- needs, is for subjects that may have too many.
local answers, over, count = {}, {}, 0

local function refused(err) return {REFUSED, type(err) == 'table' and err.err or tostring(err)} end

-- Most often nobody's epoch was raised of late, in any of many partitions.
local someRaised = true
if #KEYS > 1 then
  local names = {}
  for i, key in ipairs(KEYS) do names[i] = string.sub(key, 1, -2) .. 's' end
  someRaised = call('EXISTS', unpack(names)) > 0
end

-- An index lives as long as the last record in it, so every one has an end, and
-- GT finds one. Had says that it was there.
local function lasts(index, ttl, had)
  if had or call('PEXPIRE', index, ttl, 'NX') == 0 then call('PEXPIRE', index, ttl, 'GT') end
end

-- Stores the record whose arguments begin at at, except in the indexes of the
-- partition. Had says that its subject has others. What can fail comes first.
local function store(at, had)
  local sid, subject, v, ttl, origin = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 5]
  local raised, ofSubject, ofOrigin, listed, linked = 0, nil, nil, 0, 0
  if subject ~= '' then
    raised, ofSubject = someRaised and subjectEpoch(subject) or floor, part .. 'u:' .. subject
    listed = call('ZADD', ofSubject, '0', sid)
    lasts(ofSubject, ttl, had)
  end
  if origin ~= '' then
    ofOrigin = part .. 'o:' .. origin
    linked = call('SADD', ofOrigin, sid)
    lasts(ofOrigin, ttl)
  end
  -- The caller has guessed the epochs, because to make one more text of this size
  -- costs as much as a command.
  local code, guessed, own = GUESSED, struct.unpack('>I7I7', v, 9)
  if guessed ~= epoch or own ~= raised then
    v, code = struct.pack(STAMP, 1, 1, epoch, raised) .. string.sub(v, 23), OK
  end
  if call('SET', part .. 'r:' .. sid, v, 'NX', 'PX', ttl) then return code, raised end
  if listed == 1 then call('ZREM', ofSubject, sid) end
  if linked == 1 then call('SREM', ofOrigin, sid) end
  return EXISTS
end

local function index(sids, dues)
  call('ZADD', part .. 'a', unpack(sids))
  call('ZADD', part .. 'd', unpack(dues))
end

local at = 3
for p = 1, #KEYS do
  local n, sids, dues, stored = tonumber(ARGV[at]), {}, {}, 0
  at = at + 1
  if p > 1 then lost = enter(p) end
  for i = count + 1, count + n do
    local max, ok, others, code, raised = ARGV[at + 6], true, 0, nil, nil
    if max ~= '0' and not lost then ok, others = pcall(call, 'ZCARD', part .. 'u:' .. ARGV[at + 1]) end
    if lost or not ok then
      answers[i] = refused(lost or others)
    elseif max ~= '0' and others >= tonumber(max) then
      over[#over + 1] = {i, p, at}
    else
      ok, code, raised = pcall(store, at, others > 0)
      if not ok then
        code = refused(code)
      elseif code ~= EXISTS then
        stored = stored + 2
        sids[stored - 1], sids[stored] = '0', ARGV[at]
        dues[stored - 1], dues[stored] = ARGV[at + 4], ARGV[at]
      end
      answers[i] = code == OK and {OK, raised, epoch, 0, 0} or code
    end
    at = at + (max == '0' and 7 or 10)
  end
  if stored > 0 then
    local ok, err = pcall(index, sids, dues)
    if not ok then
      for i = count + 1, count + n do answers[i] = refused(err) end
    end
  end
  count = count + n
end

local function reply()
  local all, k = {OK}, 1
  for i = 1, count do
    local a = answers[i]
    if type(a) == 'number' then
      k = k + 1
      all[k] = a
    else
      for _, v in ipairs(a) do
        k = k + 1
        all[k] = v
      end
    end
  end
  return all
end

if #over == 0 then return reply() end
