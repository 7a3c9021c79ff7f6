using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>Prompt jobs: Semantic Kernel renders the function and its chat service calls, with the kernel's plugins as tools where the function asks for them.</summary>
internal sealed class PromptSender(Func<string, CancellationToken, ValueTask<PromptFunction>> functions, Kernel kernel)
{
    /// <summary>The messages and settings that the job stands for.</summary>
    /// <exception cref="PromptFunctionException">The function is broken, or the job does not fit it.</exception>
    public async Task<(ChatHistory Messages, PromptSettings Settings)> RenderAsync(PromptWork work, CancellationToken cancellationToken)
    {
        var function = await functions(work.Sha, cancellationToken);
        var settings = function.SettingsWith(work.Settings);
        if (PromptFunction.FirstMissingTool(settings, kernel) is { } tool)
            throw new PromptFunctionException(tool == "*"
                ? $"{function.Name}: function_choice_behavior: asks for tools, and this worker has none registered"
                : $"{function.Name}: function_choice_behavior.functions: the tool {tool} is not registered with this worker");
        var messages = await function.RenderAsync(kernel, work.Variables, cancellationToken);
        if (work.System is { } system)
            messages.Insert(0, new ChatMessageContent(AuthorRole.System, system));
        return (messages, settings);
    }

    /// <summary>Calls; the answer is in the <see cref="CallContext"/>, and the calls of tools with their results are added to the messages.</summary>
    public async Task SendAsync(Deployment deployment, string model, ChatHistory messages, PromptSettings settings, CancellationToken cancellationToken) =>
        await deployment.Chat(model).GetChatMessageContentsAsync(messages, settings.Execution, kernel, cancellationToken);
}
