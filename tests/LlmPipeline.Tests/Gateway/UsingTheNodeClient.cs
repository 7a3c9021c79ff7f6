using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class UsingTheNodeClient(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    [Fact]
    public async Task The_official_Node_client_runs_batches_pages_and_meets_errors()
    {
        await house.Fleet.WorkAsync();
        var model = Stores.NewName("model");

        var saw = JsonNode.Parse(await NodeProgram.RunAsync(
            "client.mjs",
            ("OPENAI_BASE_URL", new Uri(house.Gateway.Address, "v1").ToString()), ("OPENAI_API_KEY", GatewayHouse.Key), ("MODEL", model)))!;

        Assert.Equal(("größe.jsonl", "processed", (long)saw["file"]!["created_at"]! + 3600), ((string?)saw["file"]!["filename"], (string?)saw["file"]!["status"], (long)saw["file"]!["expires_at"]!));
        Assert.Equal("validating", (string?)saw["created"]);
        Assert.Equal(("completed", model, 30, "1"), ((string?)saw["batch"]!["status"], (string?)saw["batch"]!["model"], (int)saw["batch"]!["request_counts"]!["completed"]!, (string?)saw["batch"]!["metadata"]!["number"]));
        Assert.Equal(Enumerable.Range(1, 30).Select(n => $"row-{n}"), saw["rows"]!.AsArray().Select(row => (string)row!));
        Assert.Equal(saw["pages"]!["made"]!.ToJsonString(), saw["pages"]!["listed"]!.ToJsonString());
        Assert.Equal((4, (string)saw["file"]!["id"]!), ((int)saw["files"]!, (string)saw["firstFile"]!));
        Assert.True((bool)saw["deleted"]!["deleted"]!);
        Assert.Equal(("NotFoundError", 404), ((string?)saw["gone"]!["kind"], (int)saw["gone"]!["status"]!));
        Assert.Equal(("AuthenticationError", "invalid_api_key"), ((string?)saw["wrongKey"]!["kind"], (string?)saw["wrongKey"]!["code"]));
        Assert.Equal(("BadRequestError", "completion_window"), ((string?)saw["wrongWindow"]!["kind"], (string?)saw["wrongWindow"]!["param"]));
        Assert.Equal("ConflictError", (string?)saw["tooLate"]!["kind"]);
    }
}
