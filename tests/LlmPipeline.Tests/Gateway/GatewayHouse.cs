using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>A fleet with gateways before it: for the tests of one class, or, with settings of its own, for a single one. Nobody works there before it is asked for.</summary>
public sealed class GatewayHouse : IAsyncLifetime, IAsyncDisposable
{
    /// <summary>The keys of two owners; the second is known to the gateway by its hash alone.</summary>
    public const string Key = "key-of-the-tests", OtherKey = "key-of-somebody-else";

    private readonly Llmpipe _folder = new();
    private readonly List<GatewayProcess> _gateways = [];

    public GatewayHouse()
        : this(null)
    {
    }

    internal GatewayHouse(SimulatorOptions? llm)
    {
        Fleet = new(llm ?? new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(20), CountTokens = false });
        Set("ApiKeys__0", Key);
        Set("ApiKeys__1", "sha256:" + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(OtherKey))));
        Set("EndTimeout", "1");
    }

    internal FleetHouse Fleet { get; }

    /// <summary>The first gateway.</summary>
    internal GatewayProcess Gateway => _gateways[0];

    /// <summary>The folder that the gateways share.</summary>
    internal string Files => _folder.PathOf("files");

    /// <summary>A house of a test's own.</summary>
    /// <param name="settings">Of all its gateways, such as <c>MaxBatchRows=10</c>; a name alone takes the setting away.</param>
    internal static Task<GatewayHouse> OpenAsync(params string[] settings) => OpenAsync(null, settings);

    /// <summary>The same with an endpoint of its own.</summary>
    internal static async Task<GatewayHouse> OpenAsync(SimulatorOptions? llm, params string[] settings)
    {
        var house = new GatewayHouse(llm);
        foreach (var setting in settings)
            house.Set(setting.Split('=')[0], setting.Split('=').ElementAtOrDefault(1));
        await house.InitializeAsync();
        return house;
    }

    public async Task InitializeAsync()
    {
        await Fleet.InitializeAsync();
        await StartAsync();
    }

    /// <summary>Starts one more gateway on the same Redis and folder, with settings beside those of the house.</summary>
    internal async Task<GatewayProcess> StartAsync(params string[] settings)
    {
        foreach (var setting in settings)
            Set(setting.Split('=')[0], setting.Split('=')[1]);
        _gateways.Add(await GatewayProcess.StartAsync(_folder, Fleet.Server.Address, Files));
        foreach (var setting in settings)
            Set(setting.Split('=')[0], null);
        return _gateways[^1];
    }

    /// <summary>Lets the rows of a model wait, while workers answer those of others.</summary>
    internal async Task HoldAsync(string model)
    {
        await Fleet.WorkAsync();
        // A queue can be paused when there is one.
        await Fleet.Results.WaitAsync(await Fleet.Queue.EnqueueAsync(model, "hello"));
        Assert.True(await Fleet.Queue.PauseAsync(model));
    }

    /// <summary>Sets the end of a batch's window to a time that is over.</summary>
    internal Task ExpireAsync(string batch) => Fleet.Redis.Database.HashSetAsync(Keys.Batch(batch), "expires_at", 1_700_000_000);

    /// <summary>Sets the end of a file's life to a time that is over.</summary>
    internal async Task ExpireFileAsync(string file)
    {
        await Fleet.Redis.Database.HashSetAsync(Keys.File(file), "expires_at", 1_700_000_000);
        await Fleet.Redis.Database.SortedSetAddAsync(Keys.Expiry, file, 1_700_000_000);
    }

    /// <summary>Whether a file is in the folder.</summary>
    internal bool Holds(string file) => Directory.EnumerateFiles(Files, file + ".jsonl", SearchOption.AllDirectories).Any();

    /// <summary>Files that are being written, or of which a part was left.</summary>
    internal IEnumerable<string> Parts() => Directory.EnumerateFiles(Files, "*.part", SearchOption.AllDirectories);

    public async Task DisposeAsync()
    {
        foreach (var gateway in _gateways)
            await gateway.DisposeAsync();
        await Fleet.DisposeAsync();
        _folder.Dispose();
    }

    ValueTask IAsyncDisposable.DisposeAsync() => new(DisposeAsync());

    private static GatewayKeys Keys => new("", ApiKey.Parse(Key).Owner);

    // A name that begins with two underscores is no setting of the gateway alone.
    private void Set(string name, string? value)
    {
        var variable = "LLMPIPE__" + (name.StartsWith("__", StringComparison.Ordinal) ? name[2..] : "Gateway__" + name);
        if (value is null)
            _folder.Environment.Remove(variable);
        else
            _folder.Environment[variable] = value;
    }
}
