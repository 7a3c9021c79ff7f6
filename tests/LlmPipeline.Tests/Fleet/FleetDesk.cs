using System.Diagnostics;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>Where somebody sits who uses a fleet: a folder with input files, a model that nobody else uses, and the program.</summary>
internal sealed class FleetDesk(string redis) : IDisposable
{
    public FleetDesk(FleetHouse house)
        : this(house.Server.Address)
    {
    }

    /// <summary>The folder.</summary>
    public Llmpipe Llmpipe { get; } = new();

    /// <summary>The model, which is the queue's name.</summary>
    public string Model { get; } = Stores.NewName("model");

    /// <summary>Runs a command on the Redis of the fleet.</summary>
    public Task<(int ExitCode, string Out, string Error)> RunAsync(params string[] arguments) => Llmpipe.RunAsync([.. arguments, "--redis", redis]);

    /// <summary>Runs a command that must end with <paramref name="exitCode"/>; answers its standard output.</summary>
    public async Task<string> OutAsync(int exitCode, params string[] arguments) => (await EndsAsync(exitCode, arguments)).Out;

    /// <summary>Runs a command that must end with <paramref name="exitCode"/>; answers what it said to people.</summary>
    public async Task<string> ErrorAsync(int exitCode, params string[] arguments) => (await EndsAsync(exitCode, arguments)).Error;

    /// <summary>Runs a command with <c>--json</c> that must end with <paramref name="exitCode"/>.</summary>
    public async Task<JsonNode> JsonAsync(int exitCode, params string[] arguments) => JsonNode.Parse(await OutAsync(exitCode, [.. arguments, "--json"]))!;

    public Process Start(params string[] arguments) => Llmpipe.Start([.. arguments, "--redis", redis]);

    /// <summary>Writes a file of OpenAI Batch lines.</summary>
    /// <param name="name">The file.</param>
    /// <param name="rows">How many; custom_ids are row-1 and so on.</param>
    /// <param name="fails">Which of them the endpoint refuses, for good.</param>
    public void WriteRows(string name, int rows, Func<int, bool>? fails = null) => Llmpipe.Write(name, Enumerable.Range(1, rows).Select(n => Rows.Json(new
    {
        custom_id = $"row-{n}",
        method = "POST",
        url = "/v1/chat/completions",
        body = new
        {
            model = Model,
            messages = new[] { new { role = "user", content = $"Whisper {n}, {name}" } },
            response_format = new { type = fails?.Invoke(n) == true ? "poem" : "text" },
        },
    })));

    /// <summary>Submits a file; answers the batch's id.</summary>
    public async Task<string> SubmitAsync(string name, params string[] options)
    {
        var lines = (await OutAsync(0, ["submit", name, .. options])).Split('\n');
        Assert.Equal(["", lines[0]], lines.Order());
        return lines[0];
    }

    /// <summary>The counts of <c>status BATCH --json</c>.</summary>
    public async Task<(string State, int Completed, int Failed, int Cancelled, int Left)> StatusAsync(string batch)
    {
        var status = await JsonAsync(0, "status", batch);
        return ((string)status["state"]!, (int)status["completed"]!, (int)status["failed"]!, (int)status["cancelled"]!, (int)status["left"]!);
    }

    public void Dispose() => Llmpipe.Dispose();

    private async Task<(string Out, string Error)> EndsAsync(int exitCode, string[] arguments)
    {
        var (code, output, error) = await RunAsync(arguments);
        Assert.True(code == exitCode, $"llmpipe {string.Join(' ', arguments)}: exit code {code}: {error}{output}");
        Assert.DoesNotContain("   at ", error);
        return (output, error);
    }
}
