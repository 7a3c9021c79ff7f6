using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads the map of a batch that has two bits a row.</summary>
internal static class EndedRows
{
    private const int BytesPerCall = 64 * 1024;

    /// <summary>The rows of this partition that have ended in <paramref name="state"/>.</summary>
    public static async Task<IReadOnlyList<int>> ReadAsync(RedisCalls database, RedisKey map, EndState state)
    {
        var rows = new List<int>();
        await EachAsync(database, map, (row, found) =>
        {
            if (found == state)
                rows.Add(row);
        }).ConfigureAwait(false);
        return rows;
    }

    /// <summary>How rows of this partition have ended, in their order; null for those that have not, or are not of this partition.</summary>
    public static async Task<IReadOnlyList<EndState?>> ReadAsync(RedisCalls database, RedisKey map, int first, int count)
    {
        var from = first / 4;
        var bytes = (byte[]?)await database.StringGetRangeAsync(map, from, (first + count - 1) / 4).ConfigureAwait(false) ?? [];
        var states = new EndState?[count];
        for (var n = 0; n < count; n++)
        {
            var at = ((first + n) / 4) - from;
            if (at < bytes.Length && ((bytes[at] >> (6 - (2 * ((first + n) % 4)))) & 3) is > 0 and var state)
                states[n] = (EndState)state;
        }

        return states;
    }

    /// <summary>Tells every row that has ended, and how.</summary>
    // Row n has the bits 2n and 2n + 1, counted from the highest bit of the first byte.
    public static async Task EachAsync(RedisCalls database, RedisKey map, Action<int, EndState> ended)
    {
        for (var from = 0; ; from += BytesPerCall)
        {
            var bytes = (byte[]?)await database.StringGetRangeAsync(map, from, from + BytesPerCall - 1).ConfigureAwait(false) ?? [];
            for (var i = 0; i < bytes.Length; i++)
            {
                if (bytes[i] == 0)
                    continue;
                for (var n = 0; n < 4; n++)
                {
                    if (((bytes[i] >> (6 - (2 * n))) & 3) is > 0 and var state)
                        ended((4 * (from + i)) + n, (EndState)state);
                }
            }

            if (bytes.Length < BytesPerCall)
                return;
        }
    }
}
