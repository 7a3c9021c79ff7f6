-- For wrk: a chat completion a request.
wrk.method = 'POST'
wrk.headers['content-type'] = 'application/json'
wrk.body = '{"model":"sim","messages":[{"role":"user","content":"Summarise text number 1"}]}'
