namespace LlmPipeline.Bench;

/// <summary>The drivers, which all say the same line of JSON.</summary>
internal enum Driver
{
    /// <summary>This project.</summary>
    Own,

    /// <summary>This project's scripts in a bare loop, without a worker.</summary>
    Loop,

    /// <summary>Two round trips to Redis by blocking sockets.</summary>
    Sockets,

    BullMq,

    Hangfire,

    Celery,

    Asyncio,
}

/// <summary>One run of a driver.</summary>
/// <param name="Driver">Which.</param>
/// <param name="Jobs">How many.</param>
/// <param name="Concurrency">Calls at a time.</param>
/// <param name="Endpoint">Whom to call; null for calls that end at once in the process.</param>
internal sealed record DriverCall(Driver Driver, int Jobs, int Concurrency, Uri? Endpoint = null)
{
    /// <summary>The program, its arguments, where it runs, and its variables.</summary>
    /// <param name="redis">HOST:PORT.</param>
    /// <param name="folder">Where the peers are installed.</param>
    public (string Program, string[] Arguments, string? Folder, Dictionary<string, string> Environment) Command(string redis, PeerFolder folder)
    {
        var (jobs, concurrency) = (Words.Of(Jobs), Words.Of(Concurrency));
        // Ours is told where the API begins, the peers which address they post to.
        var completions = Endpoint is null ? null : new Uri(Endpoint, "/v1/chat/completions").ToString();
        return Driver switch
        {
            Driver.Own => Bench("own", redis, [.. Endpoint is null ? [] : (string[])["--url", new Uri(Endpoint, "/v1").ToString()]]),
            Driver.Loop => Bench("loop", redis, []),
            Driver.Sockets => Bench("sockets", redis, []),
            Driver.BullMq => ("node", ["bench.mjs", "--redis", redis, "--jobs", jobs, "--concurrency", concurrency, .. completions is null ? [] : (string[])["--url", completions]], folder.Of("bullmq"), []),
            Driver.Hangfire => ("dotnet", [Path.Join(folder.Of("hangfire"), "built", "hangfire.dll"), redis, jobs, concurrency, .. completions is null ? [] : (string[])[completions]], null, []),
            Driver.Celery => (PeerFolder.Python, ["bench.py", jobs, concurrency], folder.Of("celery"), Variables(("PEER_REDIS", redis), ("PEER_URL", completions))),
            Driver.Asyncio => (PeerFolder.Python, ["bench.py", jobs, concurrency, completions ?? throw new InvalidOperationException("asyncio needs an endpoint")], folder.Of("asyncio"), []),
            _ => throw new ArgumentOutOfRangeException(nameof(redis)),
        };

        (string Program, string[] Arguments, string? Folder, Dictionary<string, string> Environment) Bench(string name, string address, string[] more) =>
            ("dotnet", [Words.ThisProgram, name, "--redis", address, "--jobs", jobs, "--concurrency", concurrency, .. more], null, []);
    }

    private static Dictionary<string, string> Variables(params (string Name, string? Value)[] variables) =>
        variables.Where(v => v.Value is not null).ToDictionary(v => v.Name, v => v.Value!);
}
