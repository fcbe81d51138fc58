-- Ends one record and, unless told to keep them, those handed off from it:
-- through ended ones as well, because an expired one in between does not part
-- the others from their origin.
local sid, linked, reason, by, now, till = ARGV[3], ARGV[4] == '1', ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local root, exists = open(sid)
if not root then return {exists and DAMAGED or NOT_FOUND} end
local names, seen, records = {sid}, {[sid] = true}, {root}
local i = 1
while linked and i <= #names do
  for _, other in ipairs(call('SMEMBERS', part .. 'o:' .. names[i])) do
    if not seen[other] then
      seen[other] = true
      names[#names + 1] = other
      records[#records + 1] = open(other)
    end
  end
  i = i + 1
end
-- What finish writes first takes no memory, so this goes on while it is full.
local reply = {OK, 0, 0}
for _, r in ipairs(records) do
  if r.reason == '' then
    reply[#reply + 1] = finish(r, r.sid == sid and reason or LINKED, by, now)
    append(entry(SESSION, r.sid, '', 0, r.reason, now, till), ARGV[8])
  end
end
reply[2] = seq
wake()
return reply
