-- Raises the partition's global epoch to at least the given one and, in the
-- partition where that is decided, above its own, with the entry.
local least, decide, reason, now, till = tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local raised = math.max(decide and epoch + 1 or epoch, least)
evenWhenFull()
if raised > epoch then call('SET', part .. 'g', text(raised)) end
if decide then append(entry(ALL, '', '', raised, reason, now, till), till) end
wake()
return {OK, seq, raised}
