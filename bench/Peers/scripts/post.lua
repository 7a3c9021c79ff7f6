-- For wrk: a chat completion a request, each with another prompt.
wrk.method = 'POST'
wrk.headers['content-type'] = 'application/json'
local calls = 0

function request()
  calls = calls + 1
  return wrk.format(nil, nil, nil, '{"model":"sim","messages":[{"role":"user","content":"Summarise text number ' .. calls .. '"}]}')
end
