-- Ends the records of a subject: all of them under a raised epoch, or each by
-- itself if one is spared.
local subject, except, reason, by, now, till = ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local records = {}
for _, sid in ipairs(call('ZRANGE', part .. 'u:' .. subject, 0, -1)) do
  if sid ~= except then
    local r = open(sid)
    if r and r.reason == '' then records[#records + 1] = r end
  end
end
local raised = 0
if except == '' then raised = subjectEpoch(subject) + 1 end
evenWhenFull()
local reply = {OK, 0, raised}
for _, r in ipairs(records) do
  reply[#reply + 1] = finish(r, reason, by, now)
  if except ~= '' then append(entry(SESSION, r.sid, '', 0, r.reason, now, till), till) end
end
if except == '' then
  call('HSET', part .. 's', subject, text(raised))
  call('ZADD', part .. 't', 'GT', till, subject)
  append(entry(SUBJECT, '', ARGV[9], raised, reason, now, till), till)
end
reply[2] = seq
wake()
return reply
