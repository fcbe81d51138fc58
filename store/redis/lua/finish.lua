-- Ends a record that is live. Its first write takes no memory, which serves a
-- step like evenWhenFull.
local function finish(r, reason, by, at)
  if r.epoch < epoch then reason = REVOKED_ALL end -- it ended then; nobody had written it down
  r.version, r.ended, r.reason, r.by = r.version + 1, at, reason, by
  local v = value(r)
  call('ZREM', part .. 'd', r.sid)
  call('SET', part .. 'r:' .. r.sid, v, 'KEEPTTL')
  call('ZADD', part .. 'e', at, r.sid)
  if r.subject ~= '' then
    call('ZADD', part .. 'h:' .. r.subject, '0', r.sid)
    call('ZREM', part .. 'u:' .. r.subject, r.sid)
    keep(part .. 'h:' .. r.subject, call('PTTL', part .. 'r:' .. r.sid))
  end
  return v
end
