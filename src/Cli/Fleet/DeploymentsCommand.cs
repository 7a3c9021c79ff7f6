using System.CommandLine;

namespace LlmPipeline;

/// <summary><c>llmpipe deployments list|open</c>.</summary>
internal static class DeploymentsCommand
{
    private const string Help =
        """
        List the deployments of the workers, with what is unavailable, rate-limited or left alone and why, and open it.

        Examples:
          llmpipe deployments list --redis redis.internal:6379
          llmpipe deployments open main
          llmpipe deployments open main gpt-4o-mini
        """;

    private static readonly Argument<string> Name = new("NAME") { Description = "The deployment's name." };
    private static readonly Argument<string?> Model = new("MODEL") { Description = "One of its models; all without it.", Arity = ArgumentArity.ZeroOrOne };

    public static Command Create() => FleetCommand.Group(
        "deployments",
        Help,
        FleetCommand.Create("list", "List the deployments of all workers.\n\nExample:\n  llmpipe deployments list --json | jq '.[] | select(.reason)'", [], ListAsync),
        FleetCommand.Create(
            "open",
            "Have the workers call a deployment again at once, without waiting for the next probe or for the time that the provider asked for. What is still refused is closed again.\n\n"
            + "Example:\n  llmpipe deployments open main",
            [Name, Model],
            OpenAsync));

    private static async Task<int> ListAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var all = await DeploymentState.ReadAsync(fleet, cancellationToken).ConfigureAwait(false);
        if (call.Json)
            Console.Out.WriteLine(FleetJson.Of(all));
        else if (all.Count == 0)
            FleetCall.Say($"no worker on Redis at {fleet.Name} reports a deployment");
        else
            DeploymentState.Table(all).Print("WORKER", "UNTIL");
        return ExitCodes.Done;
    }

    private static async Task<int> OpenAsync(FleetCall call, CancellationToken cancellationToken)
    {
        await using var fleet = await call.OpenAsync(cancellationToken).ConfigureAwait(false);
        var (name, model) = (call.Line.GetRequiredValue(Name), call.Line.GetValue(Model));
        var all = await DeploymentState.ReadAsync(fleet, cancellationToken).ConfigureAwait(false);
        if (!all.Any(one => one.Deployment == name))
            throw CliException.Broke(all.Count == 0 ? "no worker reports a deployment" : $"no worker reports a deployment {name}; there are {string.Join(", ", all.Select(one => one.Deployment).Distinct())}");
        await fleet.AnsweredAsync(
            () => RedisRetry.DoneAsync(fleet.Deployments.OpenAsync(name, model)),
            cancellationToken).ConfigureAwait(false);
        FleetCall.Say($"the workers call deployment {name}{(model is null ? "" : $", model {model},")} again");
        return ExitCodes.Done;
    }
}
