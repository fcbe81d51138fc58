-- Lua writes numbers with 14 digits unless told otherwise.
local function text(n) return string.format('%.0f', n) end

-- A server whose memory is full refuses the first write of a script if it may
-- take memory, and none after it. Ends and removals must go on then: this write
-- takes nothing.
local function evenWhenFull() call('ZREM', part .. 'd', '') end

local seq = 0 -- of the last entry appended

-- Numbers are also above 1024 times the entry's own time, of the next century at
-- most. So when a failover or a restart lost the newest entries, those that come
-- next do not get their numbers again, and no cursor that was handed out behind
-- the lost ones passes them.
local function append(entry, till)
  local at = struct.unpack('>I7', entry, 13)
  seq = (seq > 0 and seq or last) + 1
  if at < 2^42 then seq = math.max(seq, at * 1024) end
  local number = text(seq)
  call('HSET', meta, 'seq', number)
  call('ZADD', part .. 'f', number, struct.pack('>I7', seq) .. entry)
  call('ZADD', part .. 'w', till, number)
end

local function entry(kind, sid, subject, raised, reason, at, till)
  return struct.pack('>BI4I7I7I7Bc0Hc0Hc0Bc0', kind, 0, raised, at, till,
    #sid, sid, #subject, subject, 0, '', #reason, reason)
end

-- Only a hint, so nothing depends on it.
local function wake()
  if seq > 0 and ARGV[2] ~= '' then redis.pcall('PUBLISH', ARGV[2], '') end
end
