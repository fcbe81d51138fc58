-- Returns the names under which a server keeps the scripts in ARGV.
local names = {}
for i, text in ipairs(ARGV) do names[i] = redis.sha1hex(text) end
return names
