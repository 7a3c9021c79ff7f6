-- The function popFitting for claim.lua: takes ids from the head of a lane, and those back whose envelopes do not fit, which are not read.
-- KEYS 1 of the function: lane, LIST  2 jobs, HASH; ids at most; bytes spent so far; bytes at most; whether any envelope was taken before:
--      the first always passes
-- Returns the ids that fit, how many were popped, the bytes spent now, whether any envelope was taken, true when one did not fit
-- Idempotent as little as the claim that it is part of.
local function popFitting(lane, jobs, width, spent, budget, any)
  local ids = redis.call('LPOP', lane, width) or {}
  -- Garnet answers one popped element as a string.
  if type(ids) == 'string' then ids = {ids} end
  local popped = #ids
  for i, id in ipairs(ids) do
    local size = redis.call('HSTRLEN', jobs, id)
    if any and size > 0 and spent + size > budget then
      for n = popped, i, -1 do redis.call('LPUSH', lane, ids[n]) ids[n] = nil end
      return ids, popped, spent, any, true
    end
    any, spent = any or size > 0, spent + size
  end
  return ids, popped, spent, any, false
end
