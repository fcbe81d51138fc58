-- For wrk: every request carries the badge of the next client, with the headers
-- of a usual browser. The file named after "--" has a line for each client:
-- header, tab, value.
local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local name, value = line:match("^([^\t]+)\t(.*)$")
    requests[#requests + 1] = wrk.format("GET", "/private", {
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
      ["Accept"] = "text/html,*/*;q=0.8",
      ["Accept-Language"] = "en-GB,en;q=0.7",
      [name] = value,
    })
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
