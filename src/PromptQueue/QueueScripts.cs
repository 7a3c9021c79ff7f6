using System.Reflection;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>The verbs of the queue, and what every one of their calls shares.</summary>
internal static class QueueScripts
{
    public static readonly RedisScript Enqueue = Load("clock", "hand", "enqueue");
    public static readonly RedisScript Claim = Load("clock", "due", "fitting", "claim");
    public static readonly RedisScript Held = Load("clock", "held");
    public static readonly RedisScript Renew = Load("clock", "renew");
    public static readonly RedisScript Complete = Load("complete");
    public static readonly RedisScript Retry = Load("clock", "retry");
    public static readonly RedisScript Release = Load("release");
    public static readonly RedisScript Bury = Load("clock", "bury");
    public static readonly RedisScript Redrive = Load("redrive");
    public static readonly RedisScript Reclaim = Load("clock", "reclaim");
    public static readonly RedisScript Follow = Load("follow");
    public static readonly RedisScript Forget = Load("forget");
    public static readonly RedisScript SaveBatch = Load("save-batch");
    public static readonly RedisScript LockBatch = Load("lock-batch");
    public static readonly RedisScript UnlockBatch = Load("unlock-batch");
    public static readonly RedisScript Withdraw = Load("withdraw");
    public static readonly RedisScript Cancel = Load("clock", "cancel");
    public static readonly RedisScript Stop = Load("clock", "stop");
    public static readonly RedisScript Sweep = Load("clock", "sweep");
    public static readonly RedisScript Pause = Load("pause");
    public static readonly RedisScript Purge = Load("clock", "purge");
    public static readonly RedisScript Scan = Load("scan");
    public static readonly RedisScript Examine = Load("examine");
    public static readonly RedisScript Recount = Load("recount");
    public static readonly RedisScript Revoke = Load("revoke");
    public static readonly RedisScript Stats = Load("stats");
    public static readonly RedisScript Retire = Load("clock", "retire");
    public static readonly RedisScript Remove = Load("remove");

    /// <summary>Runs a script that begins its answer with <c>OK</c> or <c>MISMATCH</c>.</summary>
    /// <returns>The whole answer, <c>OK</c> included.</returns>
    /// <exception cref="QueueMismatchException">The queue has other partitions or another schema version.</exception>
    public static async Task<RedisResult[]> RunAsync(
        RedisScript script, RedisCalls database, string queue, int partitions, RedisKey[] keys, RedisValue[] arguments)
    {
        return Checked(await script.RunAsync(database, keys, arguments).ConfigureAwait(false), queue, partitions);
    }

    /// <summary>The answer of such a script.</summary>
    /// <exception cref="QueueMismatchException">The queue has other partitions or another schema version.</exception>
    public static RedisResult[] Checked(RedisResult said, string queue, int partitions)
    {
        var answer = (RedisResult[])said!;
        if ((string?)answer[0] == "MISMATCH")
            throw new QueueMismatchException(queue, partitions, (string?)answer[1], (string?)answer[2]);
        return answer;
    }

    private static RedisScript Load(params string[] names) => RedisScript.Load(Assembly.GetExecutingAssembly(), names);
}
