-- Makes the partition if it is new. Returns the identity of its store and its
-- global epoch.
local meta, id, least = KEYS[1], ARGV[1], ARGV[2]
local part = string.sub(meta, 1, -2)
local moving = redis.pcall('EXISTS', part .. 'x', part .. 'y')
if type(moving) == 'table' then
  if string.find(moving.err, 'non local', 1, true) then
    return redis.error_reply('TRYAGAIN the slot of ' .. part .. ' is being moved')
  end
  return moving
end
local kind = redis.call('TYPE', meta).ok
if kind == 'none' then
  if redis.call('EXISTS', part .. 'g', part .. 'a', part .. 'd', part .. 'f') > 0 then
    return redis.error_reply('LOST ' .. meta .. ' is missing beside other keys of this store')
  end
  redis.call('HSET', meta, 'format', '1', 'id', id, 'seq', '0')
  redis.call('SET', part .. 'g', least)
  return {id, least}
end
if kind ~= 'hash' or redis.call('HGET', meta, 'format') ~= '1' then
  return redis.error_reply('FOREIGN ' .. meta .. ' was not written by this version of lanyard')
end
local epoch = redis.call('GET', part .. 'g')
if not epoch then
  return redis.error_reply('LOST ' .. part .. 'g is missing: an eviction policy, a partial restore, or somebody deleted it')
end
return {redis.call('HGET', meta, 'id'), epoch}
