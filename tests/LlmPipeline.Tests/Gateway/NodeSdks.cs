using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>The calls of <c>sdks.mjs</c>: SDKs for Node, unchanged, against a gateway with a worker behind it.</summary>
public sealed class NodeSdks : IAsyncLifetime
{
    private readonly GatewayHouse _house = new();

    /// <summary>What was wrong with each call, by its SDK; null for nothing.</summary>
    internal ILookup<string, (string Call, string? Wrong)> Calls { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        await _house.InitializeAsync();
        await _house.Fleet.WorkAsync();
        // LangChain asks for a schema only of models that it knows to have it; and the name has what is special in a path.
        var model = $"org/gpt-4o:{Stores.NewName("model")}";
        var output = await NodeProgram.RunAsync(
            "sdks.mjs", ("GATEWAY", _house.Gateway.Address.ToString().TrimEnd('/')), ("KEY", GatewayHouse.Key), ("MODEL", model));
        Calls = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)
            .ToLookup(line => (string)line["sdk"]!, line => ((string)line["call"]!, (string?)line["wrong"]));
    }

    public Task DisposeAsync() => _house.DisposeAsync();
}
