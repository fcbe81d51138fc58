-- Runs before every step. KEYS[1] is the partition's meta key, from which the
-- names of its other keys follow: they share its hash tag and so its slot.
-- ARGV: identity of the store, channel of the hints, then what the step needs.
local call, meta = redis.call, KEYS[1]
local part = string.sub(meta, 1, -2)

-- While a Cluster moves the slot, half of the keys are elsewhere, and a step
-- would fail between its writes. The second of these keys never exists: on
-- either side of a move, and only then, asking for it together with another is
-- an error. So the step has not begun.
local first = redis.pcall('MGET', part .. 'g', part .. 'x')
if first.err then
  if string.find(first.err, 'non local', 1, true) then
    return redis.error_reply('TRYAGAIN the slot of ' .. part .. ' is being moved')
  end
  return first
end

-- The partition's global epoch, the floor of its subjects' epochs, and the number
-- of the last entry in its feed.
local epoch, state = tonumber(first[1] or nil), call('HMGET', meta, 'id', 'floor', 'seq')
if not epoch or state[1] ~= ARGV[1] then
  return redis.error_reply('LOST ' .. meta .. ' is not what this process started with')
end
local floor, last = tonumber(state[2] or 0), tonumber(state[3])

-- The head of a stored record: format, version, global and subject epoch,
-- created, active, idle, expires, ended; then subject key, origin, the origin
-- that took over when that one was removed, reason and by. The body follows; it
-- is the business of the callers alone.
local HEAD = '>BI7I7I7I7I7I7I7I7Bc0Bc0Bc0Bc0Hc0'

-- What of it only a step knows; callers send the rest ready to be stored.
local STAMP, TEXTS = '>BI7I7I7', 1 + 8 * 7 + 1

-- A subject's epoch, which outlives its entry as the partition's floor.
local function subjectEpoch(subject)
  if subject == '' then return 0 end
  return math.max(tonumber(call('HGET', part .. 's', subject) or 0), floor)
end
