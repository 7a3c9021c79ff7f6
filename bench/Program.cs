using System.CommandLine;
using LlmPipeline.Bench;

// The names of measurements that --only takes are the names of commands too: so the two command lines are apart.
var root = args.Any(word => word == "--peers" || word.StartsWith("--peers=", StringComparison.Ordinal))
    ? PeersCommand.Create()
    : new RootCommand("Measurements of LlmPipeline. With --peers DIR it is compared with its peers: --peers DIR --help tells more. Each command says what it measures.")
    {
        QuotaCommand.Create(), LargeCommand.Create(), HostileCommand.Create(), BoundsCommand.Create(), HostileEndpoint.Create(), MicroCommand.Create(), OwnDriver.Create(), LoopDriver.Create(), SocketsDriver.Create(), MemoryDriver.CreateFill(), MemoryDriver.CreateDrain(), GrowthDriver.Create(),
    };
return await root.Parse(args).InvokeAsync();
