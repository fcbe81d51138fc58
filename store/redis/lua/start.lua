-- Runs before every step. KEYS are the meta keys of its partitions, from which
-- the names of their other keys follow: a partition's share their hash tag and so
-- their slot. Only where there are no slots does a step have several.
-- ARGV: identity of the store, channel of the hints, then what the step needs.
local call = redis.call

-- While a Cluster moves the slot, half of the keys are elsewhere, and a step
-- would fail between its writes. The last of these keys never exists: on either
-- side of a move, and only then, asking for it together with another is an error.
-- So the step has not begun.
local epochs = {}
for i, key in ipairs(KEYS) do epochs[i] = string.sub(key, 1, -2) .. 'g' end
epochs[#KEYS + 1] = string.sub(KEYS[1], 1, -2) .. 'x'
epochs = redis.pcall('MGET', unpack(epochs))
if epochs.err then
  if string.find(epochs.err, 'non local', 1, true) then
    return redis.error_reply('TRYAGAIN the slot of ' .. KEYS[1] .. ' is being moved')
  end
  return epochs
end

-- The partition at hand: its meta key, the start of all its keys, its global
-- epoch, the floor of its subjects' epochs, and the number of the last entry in
-- its feed.
local meta, part, epoch, floor, last

-- Turns to a partition. Returns what is wrong with it, if something is.
local function enter(i)
  meta, epoch = KEYS[i], tonumber(epochs[i] or nil)
  part = string.sub(meta, 1, -2)
  local state = redis.pcall('HMGET', meta, 'id', 'floor', 'seq')
  if state.err then return state.err end
  if not epoch or state[1] ~= ARGV[1] then
    return 'LOST ' .. meta .. ' is not what this process started with'
  end
  floor, last = tonumber(state[2] or 0), tonumber(state[3])
end

local lost = enter(1)
if lost and #KEYS == 1 then return redis.error_reply(lost) end

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
