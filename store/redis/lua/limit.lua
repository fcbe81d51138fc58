-- The subjects of these new records may have too many. Each is judged after the
-- one before it was stored.
local function limited(p, at)
  local lost = enter(p) -- the feed has grown, maybe
  if lost then error(lost, 0) end
  seq = 0
  local sid, subject, max, action = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 6]), ARGV[at + 7]
  local now, till = tonumber(ARGV[at + 8]), ARGV[at + 9]
  local live = {}
  local others = call('ZRANGE', part .. 'u:' .. subject, 0, -1)
  for _, other in ipairs(others) do
    local r = open(other)
    if r and r.reason == '' and r.epoch >= epoch and now < math.min(r.idle, r.expires) then live[#live + 1] = r end
  end
  local excess = #live + 1 - max
  if excess > 0 and action == LIMIT_REFUSE then
    return call('EXISTS', part .. 'r:' .. sid) == 1 and EXISTS or LIMIT
  end
  local code, raised = store(at, #others > 0)
  if code == EXISTS then return code end
  index({'0', sid}, {ARGV[at + 4], sid})
  table.sort(live, function(a, b)
    if action == LIMIT_LEAST_RECENT and a.active ~= b.active then return a.active < b.active end
    if a.created ~= b.created then return a.created < b.created end
    return a.sid < b.sid
  end)
  local answer = {OK, raised, epoch, 0, math.max(excess, 0)}
  for k = 1, excess do
    local old = live[k]
    answer[5 + k] = finish(old, SESSION_LIMIT, SYSTEM, now)
    append(entry(SESSION, old.sid, '', 0, old.reason, now, tonumber(till)), till)
  end
  answer[4] = seq
  return answer
end

local told = 0
for _, o in ipairs(over) do
  local ok, answer = pcall(limited, o[2], o[3])
  answers[o[1]] = ok and answer or refused(answer)
  told = math.max(told, seq)
end
seq = told
wake()
return reply()
