using System.Net;
using System.Text.Json.Nodes;

namespace LlmPipeline;

/// <summary>The jobs API, as somebody at a <see cref="GatewayDesk"/> uses it.</summary>
internal static class JobsDesk
{
    public const string Path = "v1/jobs";

    /// <summary>Submits; answers what was taken.</summary>
    public static async Task<JsonNode> SubmitAsync(this GatewayDesk desk, string body)
    {
        using var answer = await desk.Http.PostAsync(Path, GatewayDesk.Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, text);
        return JsonNode.Parse(text)!;
    }

    /// <summary>Submits a job; answers its id.</summary>
    public static async Task<string> SubmitOneAsync(this GatewayDesk desk, string body) => (string)(await desk.SubmitAsync(body))["id"]!;

    /// <summary>A job of the desk's model: a prompt and more fields.</summary>
    public static string Prompt(this GatewayDesk desk, string more = "") => $$"""{"model":"{{desk.Model}}","prompt":"hello"{{more}}}""";

    /// <summary>Waits for the end of a job.</summary>
    public static async Task<JsonNode> EndOfAsync(this GatewayDesk desk, string id) => await desk.GetAsync($"{Path}/{id}?wait=60");

    /// <summary>Cancels; answers status and job.</summary>
    public static async Task<(HttpStatusCode Status, JsonNode Job)> CancelAsync(this GatewayDesk desk, string id)
    {
        using var answer = await desk.Http.DeleteAsync($"{Path}/{id}");
        return (answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
    }
}
