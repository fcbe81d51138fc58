-- For wrk: every request is the next client's look at the page with the form, or
-- that form, sent. The file named after "--" has a line for each client: header,
-- tab, value, tab, form; the word after it is the method. The site is behind TLS
-- that ends before it, so the names are those that the browser knows.
local requests, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local name, value, form = line:match("^([^\t]+)\t([^\t]*)\t?(.*)$")
    local headers = {
      ["Host"] = "app.example",
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
      ["Accept"] = "text/html,*/*;q=0.8",
      ["Accept-Language"] = "en-GB,en;q=0.7",
      ["Sec-Fetch-Site"] = "same-origin",
      ["Sec-Fetch-Mode"] = "navigate",
      ["Sec-Fetch-Dest"] = "document",
      [name] = value,
    }
    local body = nil
    if args[2] == "POST" then
      headers["Origin"] = "https://app.example"
      headers["Content-Type"] = "application/x-www-form-urlencoded"
      body = form
    end
    requests[#requests + 1] = wrk.format(args[2], "/private", headers, body)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
