-- Returns the server's incarnation, then name and value of each lease. The run id
-- is drawn at each start, the replication id at each promotion of a replica.
local info = call('INFO', 'server', 'replication')
local run, replication = string.match(info, '\nrun_id:(%w+)'), string.match(info, '\nmaster_replid:(%w+)')
local reply = {OK, run and replication and run .. '.' .. replication or ''}
for _, node in ipairs(call('SMEMBERS', part .. 'i')) do
  reply[#reply + 1] = node
  reply[#reply + 1] = call('HGET', part .. 'l', node) or ''
end
return reply
