-- One stretch of the partition's upkeep. It looks at no more than chunk of each
-- kind, so that no other caller waits long.
local now, forget, room, chunk = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local least = tonumber(ARGV[7])
local more, ended = 0, {}
evenWhenFull()

-- An "end everything" that was cut short had reached some partitions only.
if least > epoch then
  epoch = least
  call('SET', part .. 'g', text(epoch))
end

-- The records older than the global epoch, from where the call before stopped.
-- No such record can appear behind that place.
if tonumber(call('HGET', meta, 'swept') or 0) < epoch then
  local from = '-'
  if tonumber(call('HGET', meta, 'sweep') or 0) == epoch then from = '(' .. call('HGET', meta, 'from') end
  local sids, stopped = call('ZRANGE', part .. 'a', from, '+', 'BYLEX', 'LIMIT', 0, chunk), false
  for _, sid in ipairs(sids) do
    local r = open(sid)
    if r and r.reason == '' and r.epoch < epoch then
      if #ended == room then stopped = true break end
      ended[#ended + 1] = finish(r, REVOKED_ALL, SYSTEM, now)
    end
    from = '(' .. sid
  end
  if stopped or #sids == chunk then
    more = 1
    if from ~= '-' then call('HSET', meta, 'sweep', text(epoch), 'from', string.sub(from, 2)) end
  else
    call('HSET', meta, 'swept', text(epoch))
    call('HDEL', meta, 'sweep', 'from')
  end
end

local due = call('ZRANGE', part .. 'd', '-inf', now, 'BYSCORE', 'LIMIT', 0, chunk)
for _, sid in ipairs(due) do
  local r = open(sid)
  if not r then -- the engine's own expiry was first
    call('ZREM', part .. 'd', sid)
    call('ZREM', part .. 'a', sid)
    call('DEL', part .. 'r:' .. sid)
  elseif r.reason ~= '' then
    call('ZREM', part .. 'd', sid)
  elseif now < r.expires and now < r.idle then
    call('ZADD', part .. 'd', math.min(r.idle, r.expires), sid)
  elseif #ended >= room then
    more = 1
    break
  else
    ended[#ended + 1] = finish(r, now >= r.expires and EXPIRED or IDLE, SYSTEM, now)
  end
end
if #due == chunk then more = 1 end

local function unlink(r)
  local origin = r.via ~= '' and r.via or r.origin
  if origin ~= '' then call('SREM', part .. 'o:' .. origin, r.sid) end
  local children = call('SMEMBERS', part .. 'o:' .. r.sid)
  if #children == 0 then return end
  -- Its origin still ends the records that were handed off through this one.
  for _, sid in ipairs(children) do
    local child = open(sid)
    if child and origin ~= '' then
      child.via = origin
      local ttl = call('PTTL', part .. 'r:' .. sid)
      call('SET', part .. 'r:' .. sid, value(child), 'KEEPTTL')
      call('SADD', part .. 'o:' .. origin, sid)
      keep(part .. 'o:' .. origin, ttl)
    end
  end
  call('DEL', part .. 'o:' .. r.sid)
end

local gone = call('ZRANGE', part .. 'e', '-inf', forget, 'BYSCORE', 'LIMIT', 0, chunk)
for _, sid in ipairs(gone) do
  local r = open(sid)
  if r then
    if r.subject ~= '' then call('ZREM', part .. 'h:' .. r.subject, sid) end
    unlink(r)
  end
  call('ZREM', part .. 'a', sid)
  call('ZREM', part .. 'e', sid)
  call('DEL', part .. 'r:' .. sid)
end
if #gone == chunk then more = 1 end

local over = call('ZRANGE', part .. 'w', '-inf', now, 'BYSCORE', 'LIMIT', 0, chunk)
for _, at in ipairs(over) do
  call('ZREMRANGEBYSCORE', part .. 'f', at, at)
  call('ZREM', part .. 'w', at)
end
if #over == chunk then more = 1 end

local subjects = call('ZRANGE', part .. 't', '-inf', now, 'BYSCORE', 'LIMIT', 0, chunk)
for _, subject in ipairs(subjects) do
  -- A subject's epoch never falls: all others start from here now.
  floor = math.max(floor, tonumber(call('HGET', part .. 's', subject) or 0))
  call('HDEL', part .. 's', subject)
  call('ZREM', part .. 't', subject)
end
if #subjects > 0 then call('HSET', meta, 'floor', text(floor)) end
if #subjects == chunk then more = 1 end

local reply = {OK, more}
for i, v in ipairs(ended) do reply[i + 2] = v end
return reply
